# Benchmark files and our own templates become items: one row each, with roles, cluster and split.
# REQUIRED INPUTS: data/raw/benchmarks/..., data/forced_choice/*.yaml or data/counterfactual/*.yaml. OUTPUTS: data/items/{study}/{suite}.parquet


rule items:
    """Errata, subsample and split are fixed here, so that every environment answers the same items."""
    input:
        sources=sources_of,
    output:
        item_table="<items>/{suite}.parquet",
    log:
        "<logs>/items/{suite}.log",
    benchmark:
        "<benchmarks>/items/{suite}.tsv"
    priority: 20  # before the parity gate, which may stop the run
    resources:
        mem_mb=350,
    params:
        code=code_of("items"),
        settings=settings_of("items"),
    message:
        "items of {wildcards.suite}"
    shell:
        "python -m edgebias items --settings {params.settings:q} --suite {wildcards.suite:q}"
        " --output {output.item_table:q} 2> {log:q}"
