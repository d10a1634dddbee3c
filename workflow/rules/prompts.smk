# Benchmark files and our own templates become items: one row each, with roles, cluster and split.
# REQUIRED INPUTS: data/raw/benchmarks/..., data/forced_choice/*.yaml or data/counterfactual/*.yaml. OUTPUTS: data/prompts/{suite}.parquet


rule prompts:
    """Errata, subsample and split are fixed here, so that every environment answers the same items."""
    input:
        sources=sources_of,
        errata="src/edgebias/suites/errata.csv",
        code=code_of("edgebias.stages.prompts"),
    output:
        prompts="data/prompts/{suite}.parquet",
    log:
        "logs/prompts/{suite}.log",
    benchmark:
        "logs/benchmarks/prompts/{suite}.tsv"
    params:
        settings=settings_of("prompts"),
        folder=RAW,
    message:
        "prompts {wildcards.suite}"
    shell:
        "python -m edgebias.stages.prompts --settings {params.settings:q} --suite {wildcards.suite:q}"
        " --raw-folder {params.folder:q} --output {output.prompts:q} 2> {log:q}"
