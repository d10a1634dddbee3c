# Compressed builds of each model, with a record of what is really on disk.
# REQUIRED INPUTS: data/raw/models/{model}.gguf, neutral text. OUTPUTS: data/models/{model}/{variant}.gguf and .json


rule full_precision:
    """The reference of every contrast: the published weights at 16 bits, dequantised where they came quantised."""
    input:
        source=rules.fetch_model.output.weights,
        texts=TEXTS,
    output:
        weights="<models>/{model}/full.gguf",
        record="<models>/{model}/full.json",
    log:
        "<logs>/full_precision/{model}.log",
    benchmark:
        "<benchmarks>/full_precision/{model}.tsv"
    priority: 10  # the longest chain of jobs: build, build, fit, mitigate
    resources:
        mem_mb=1050,
    params:
        code=code_of("full_precision"),
        settings=settings_of("full_precision"),
    message:
        "full precision of {wildcards.model}"
    shell:
        "python -m edgebias full-precision --settings {params.settings:q} --source {input.source:q} --texts {input.texts:q}"
        " --output {output.weights:q} --record {output.record:q} 2> {log:q}"


rule compress:
    """One pruned or quantised build; the record shows types that llama.cpp replaced and the sparsity achieved."""
    input:
        parent=parent_of,
        texts=TEXTS,
    output:
        weights="<models>/{model}/{variant}.gguf",
        record="<models>/{model}/{variant}.json",
    log:
        "<logs>/compress/{model}/{variant}.log",
    benchmark:
        "<benchmarks>/compress/{model}/{variant}.tsv"
    wildcard_constraints:
        variant=one_of(
            sorted(
                set(study.config["variants"])
                - {"full", *study.by_library, *study.trainings}
            )
        ),
    priority: 10  # the longest chain of jobs: build, build, fit, mitigate
    resources:
        mem_mb=1200,
    params:
        code=code_of("compress"),
        settings=settings_of("compress"),
    message:
        "build {wildcards.variant} of {wildcards.model}"
    shell:
        "python -m edgebias compress --settings {params.settings:q} --parent {input.parent:q} --texts {input.texts:q}"
        " --output {output.weights:q} --record {output.record:q} 2> {log:q}"


rule compress_by_library:
    """One build by llm-compressor: GPTQ, AWQ, round to nearest or SparseGPT, its decoded weights in the parent's types."""
    input:
        parent=parent_of,
        folder=folder_of_parent,
        texts=TEXTS,
    output:
        weights="<models>/{model}/{variant}.gguf",
        record="<models>/{model}/{variant}.json",
    log:
        "<logs>/compress_by_library/{model}/{variant}.log",
    benchmark:
        "<benchmarks>/compress_by_library/{model}/{variant}.tsv"
    wildcard_constraints:
        variant=one_of(sorted(study.by_library)),
    resources:
        mem_mb=2600,
    params:
        code=code_of("compress_by_library"),
        settings=settings_of("compress_by_library"),
        folder=lambda wildcards, input: os.path.dirname(input.folder[0]),
        python=LIBRARY_PYTHON,
    message:
        "build {wildcards.variant} of {wildcards.model} by llm-compressor"
    shell:
        "python -m edgebias compress-by-library --settings {params.settings:q} --parent {input.parent:q}"
        " --folder {params.folder:q} --texts {input.texts:q} --python {params.python:q}"
        " --output {output.weights:q} --record {output.record:q} 2> {log:q}"


rule transformers_weights:
    """The same weights in the layout that transformers reads, converted once instead of in every job."""
    input:
        weights="<models>/{model}/{variant}.gguf",
    output:
        expand(
            "<models>/{{model}}/{{variant}}.transformers/{name}",
            name=TRANSFORMERS_FILES,
        ),
    log:
        "<logs>/transformers_weights/{model}/{variant}.log",
    benchmark:
        "<benchmarks>/transformers_weights/{model}/{variant}.tsv"
    priority: 20  # before the parity gate, which may stop the run
    resources:
        mem_mb=1700,
    params:
        code=code_of("transformers_weights"),
        folder=subpath(output[0], parent=True),
    message:
        "weights of {wildcards.model} {wildcards.variant} for transformers"
    shell:
        "python -m edgebias transformers-weights --weights {input.weights:q} --output-folder {params.folder:q} 2> {log:q}"
