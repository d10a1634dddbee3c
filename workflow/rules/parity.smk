# The gate before any claim about an environment, and what its arithmetic changes.
# REQUIRED INPUTS: items, full-precision weights for llama.cpp and transformers; then the responses of both.
# OUTPUTS: results/parity/{model}.json, results/arithmetic/{model}.json


rule parity:
    """The same weights must be asked the same and, in exact arithmetic, answer the same, or the run stops here."""
    input:
        item_tables=parity_items,
        weights="<models>/{model}/full.gguf",
        tokenizer=expand(
            "<models>/{{model}}/full.transformers/{name}", name=TRANSFORMERS_FILES
        ),
    output:
        gate="<results>/parity/{model}.json",
    log:
        "<logs>/parity/{model}.log",
    benchmark:
        "<benchmarks>/parity/{model}.tsv"
    priority: 20  # before the inference that it may make useless
    threads: 1
    resources:
        mem_mb=parity_memory_of,
    params:
        code=code_of("parity"),
        settings=settings_of("parity"),
        item_options=repeated("--items", "item_tables"),
        folder=full_in_transformers,
    message:
        "parity gate of {wildcards.model}"
    shell:
        "python -m edgebias parity --settings {params.settings:q} {params.item_options} --threads {threads}"
        " --weights {input.weights:q} --folder {params.folder:q} --output {output.gate:q} 2> {log:q}"


rule arithmetic:
    """What 16-bit kernels and caches change in the answers of the same weights."""
    input:
        llama=full_responses("llama"),
        torch=full_responses("torch"),
    output:
        differences="<results>/arithmetic/{model}.json",
    log:
        "<logs>/arithmetic/{model}.log",
    benchmark:
        "<benchmarks>/arithmetic/{model}.tsv"
    resources:
        mem_mb=500,
    params:
        code=code_of("arithmetic"),
        llama=repeated("--llama", "llama"),
        torch=repeated("--torch", "torch"),
    message:
        "what the arithmetic of {wildcards.model} changes"
    shell:
        "python -m edgebias arithmetic {params.llama} {params.torch} --output {output.differences:q} 2> {log:q}"
