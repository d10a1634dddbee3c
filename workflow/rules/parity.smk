# The gate before any claim about an environment.
# REQUIRED INPUTS: full-precision responses of llama.cpp and transformers. OUTPUTS: results/parity/{model}.json


rule parity:
    """The same weights must give the same option log-likelihoods in both backends, or the run stops here."""
    input:
        llama=parity_responses("llama"),
        torch=parity_responses("torch"),
    output:
        gate="<results>/parity/{model}.json",
    log:
        "<logs>/parity/{model}.log",
    benchmark:
        "<benchmarks>/parity/{model}.tsv"
    resources:
        mem_mb=400,
    params:
        code=code_of("parity"),
        settings=settings_of("parity"),
        llama=repeated("--llama", "llama"),
        torch=repeated("--torch", "torch"),
    message:
        "parity gate of {wildcards.model}"
    shell:
        "python -m edgebias parity --settings {params.settings:q} {params.llama} {params.torch}"
        " --output {output.gate:q} 2> {log:q}"
