# Responses become estimates with intervals, counts and coverage.
# REQUIRED INPUTS: items, responses. OUTPUTS: results/scores/{environment}/{model}/{variant}/{suite}.csv


rule score:
    """Scoring never asks the model again: a changed metric or interval reruns from here."""
    input:
        item_table="<items>/{suite}.parquet",
        responses="<results>/responses/{environment}/{model}/{variant}/{suite}.parquet",
    output:
        scores="<results>/scores/{environment}/{model}/{variant}/{suite}.csv",
    log:
        "<logs>/score/{environment}/{model}/{variant}/{suite}.log",
    benchmark:
        "<benchmarks>/score/{environment}/{model}/{variant}/{suite}.tsv"
    resources:
        mem_mb=400,
    params:
        code=code_of("score"),
        settings=settings_of("score"),
    message:
        "{wildcards.environment} {wildcards.variant}: score {wildcards.suite}"
    shell:
        "python -m edgebias score --settings {params.settings:q} --suite {wildcards.suite:q} --items {input.item_table:q}"
        " --responses {input.responses:q} --output {output.scores:q} 2> {log:q}"


rule score_rounds:
    """Does bias grow with repetition? The slope over rounds, and the sliding-window curve for the figure."""
    input:
        item_table="<items>/forced_choice.parquet",
        responses="<results>/rounds/{environment}/{model}/{variant}.parquet",
    output:
        scores="<results>/scores/{environment}/{model}/{variant}/over_time.csv",
        trajectory="<results>/scores/{environment}/{model}/{variant}/over_time_rounds.csv",
    log:
        "<logs>/score_rounds/{environment}/{model}/{variant}.log",
    benchmark:
        "<benchmarks>/score_rounds/{environment}/{model}/{variant}.tsv"
    resources:
        mem_mb=400,
    params:
        code=code_of("score_rounds"),
        settings=settings_of("score_rounds"),
    message:
        "{wildcards.environment} {wildcards.variant}: score the rounds"
    shell:
        "python -m edgebias score-rounds --settings {params.settings:q} --items {input.item_table:q}"
        " --responses {input.responses:q} --output {output.scores:q} --trajectory {output.trajectory:q} 2> {log:q}"
