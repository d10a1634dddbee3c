# The gate before any claim about an environment.
# REQUIRED INPUTS: items, full-precision weights and responses of llama.cpp and transformers. OUTPUTS: results/parity/{model}.json


rule parity:
    """The same weights must be asked the same and answer the same in both backends, or the run stops here."""
    input:
        llama=parity_responses("llama"),
        torch=parity_responses("torch"),
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
    resources:
        mem_mb=1000,
    params:
        code=code_of("parity"),
        settings=settings_of("parity"),
        llama=repeated("--llama", "llama"),
        torch=repeated("--torch", "torch"),
        item_options=repeated("--items", "item_tables"),
        folder=full_in_transformers,
    message:
        "parity gate of {wildcards.model}"
    shell:
        "python -m edgebias parity --settings {params.settings:q} {params.llama} {params.torch}"
        " {params.item_options} --weights {input.weights:q} --folder {params.folder:q}"
        " --output {output.gate:q} 2> {log:q}"
