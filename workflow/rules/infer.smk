# The expensive stage: one environment, model, build and suite a job.
# REQUIRED INPUTS: items, weights. OUTPUTS: results/responses/...parquet (bytes stable), results/cost/...json (not)


rule infer:
    """Responses hold no times, so that two runs can be compared byte for byte."""
    input:
        item_table="<items>/{suite}.parquet",
        weights=weights_of,
        formats=formats_checked,
    output:
        responses="<results>/responses/{environment}/{model}/{variant}/{suite}.parquet",
        cost="<results>/cost/{environment}/{model}/{variant}/{suite}.json",
    log:
        "<logs>/infer/{environment}/{model}/{variant}/{suite}.log",
    benchmark:
        "<benchmarks>/infer/{environment}/{model}/{variant}/{suite}.tsv"
    threads: threads_of
    resources:
        mem_mb=memory_of,
    params:
        code=code_of("infer"),
        settings=settings_of("infer"),
        weights=weights_option_of,
    message:
        "{wildcards.environment} {wildcards.variant}: ask {wildcards.suite}"
    shell:
        "python -m edgebias infer --settings {params.settings:q} --suite {wildcards.suite:q} --items {input.item_table:q}"
        " {params.weights} --responses {output.responses:q} --cost {output.cost:q} 2> {log:q}"
