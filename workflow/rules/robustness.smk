# How much of an answer is the item, and how much the way it was asked?
# REQUIRED INPUTS: the items of robustness.suite, weights. OUTPUTS: results/robustness/...parquet and four tables


rule robustness:
    """Every order of options, template and wording of "unknown", crossed with the same items."""
    input:
        prompts=f"data/prompts/{study.config['robustness']['suite']}.parquet",
        weights=weights_of,
        code=code_of("edgebias.stages.robustness"),
    output:
        responses="results/robustness/{environment}/{model}/{variant}.parquet",
        cost="results/cost/{environment}/{model}/{variant}/robustness.json",
    log:
        "logs/robustness/{environment}/{model}/{variant}.log",
    benchmark:
        "logs/benchmarks/robustness/{environment}/{model}/{variant}.tsv"
    threads: threads_of
    resources:
        mem_mb=memory_of,
    params:
        settings=settings_of("robustness"),
        weights=weights_option_of,
    message:
        "{wildcards.environment} {wildcards.variant}: ask in every format"
    shell:
        "python -m edgebias.stages.robustness --settings {params.settings:q} --items {input.prompts:q} {params.weights}"
        " --responses {output.responses:q} --cost {output.cost:q} 2> {log:q}"


rule score_robustness:
    """One job for all cells: environment and build are factors of the variance beside order, template and wording."""
    input:
        prompts=rules.robustness.input.prompts,
        responses=expand(
            "results/robustness/{cell.path}.parquet", cell=study.robustness_cells
        ),
        code=code_of("edgebias.stages.score_robustness"),
    output:
        variance="results/robustness/variance_shares.csv",
        positions="results/robustness/position_bias.csv",
        flips="results/robustness/flip_rates.csv",
        levels="results/robustness/by_level.csv",
    log:
        "logs/score_robustness.log",
    benchmark:
        "logs/benchmarks/score_robustness.tsv"
    params:
        settings=settings_of("score_robustness"),
    message:
        "score the robustness of formats"
    shell:
        "python -m edgebias.stages.score_robustness --settings {params.settings:q} --items {input.prompts:q}"
        " --responses-folder results/robustness --variance {output.variance:q} --positions {output.positions:q}"
        " --flips {output.flips:q} --levels {output.levels:q} 2> {log:q}"
