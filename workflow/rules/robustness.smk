# How much of an answer is the item, and how much the way it was asked?
# REQUIRED INPUTS: the items of robustness.suite, weights. OUTPUTS: results/robustness/...parquet and four tables


rule robustness:
    """Every order of options, template and wording of "unknown", crossed with the same items."""
    input:
        item_table=f"<items>/{study.config['robustness']['suite']}.parquet",
        weights=weights_of,
    output:
        responses="<results>/robustness/{environment}/{model}/{variant}.parquet",
        cost="<results>/cost/{environment}/{model}/{variant}/robustness.json",
    log:
        "<logs>/robustness/{environment}/{model}/{variant}.log",
    benchmark:
        "<benchmarks>/robustness/{environment}/{model}/{variant}.tsv"
    threads: threads_of
    resources:
        mem_mb=memory_of,
    params:
        code=code_of("robustness"),
        settings=settings_of("robustness"),
        weights=weights_option_of,
    message:
        "{wildcards.environment} {wildcards.variant}: ask in every format"
    shell:
        "python -m edgebias robustness --settings {params.settings:q} --items {input.item_table:q} {params.weights}"
        " --responses {output.responses:q} --cost {output.cost:q} 2> {log:q}"


rule score_robustness:
    """One job for all cells: environment and build are factors of the variance beside order, template and wording."""
    input:
        item_table=rules.robustness.input.item_table,
        responses=expand(
            "<results>/robustness/{cell.path}.parquet", cell=study.robustness_cells
        ),
    output:
        variance="<results>/robustness/variance_shares.csv",
        positions="<results>/robustness/position_bias.csv",
        flips="<results>/robustness/flip_rates.csv",
        levels="<results>/robustness/by_level.csv",
    log:
        "<logs>/score_robustness.log",
    benchmark:
        "<benchmarks>/score_robustness.tsv"
    resources:
        mem_mb=500,
    params:
        code=code_of("score_robustness"),
        settings=settings_of("score_robustness"),
        results=results_folder,
    message:
        "score the robustness of formats"
    shell:
        "python -m edgebias score-robustness --settings {params.settings:q} --items {input.item_table:q}"
        " --responses-folder {params.results:q}/robustness --variance {output.variance:q} --positions {output.positions:q}"
        " --flips {output.flips:q} --levels {output.levels:q} 2> {log:q}"
