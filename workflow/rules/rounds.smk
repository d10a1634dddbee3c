# The over-time question: independent draws, and conversations with a sliding window.
# REQUIRED INPUTS: the forced-choice items, weights. OUTPUTS: results/rounds/...parquet, results/cost/.../rounds.json


rule rounds:
    """A prompt repeated without history measures one probability; only a conversation can drift."""
    input:
        item_table="<items>/forced_choice.parquet",
        weights=weights_of,
    output:
        responses="<results>/rounds/{environment}/{model}/{variant}.parquet",
        cost="<results>/cost/{environment}/{model}/{variant}/rounds.json",
    log:
        "<logs>/rounds/{environment}/{model}/{variant}.log",
    benchmark:
        "<benchmarks>/rounds/{environment}/{model}/{variant}.tsv"
    threads: threads_of
    resources:
        mem_mb=memory_of,
    params:
        code=code_of("rounds"),
        settings=settings_of("rounds"),
        weights=weights_option_of,
    message:
        "{wildcards.environment} {wildcards.variant}: ask in repeated rounds"
    shell:
        "python -m edgebias rounds --settings {params.settings:q} --items {input.item_table:q} {params.weights}"
        " --responses {output.responses:q} --cost {output.cost:q} 2> {log:q}"
