# Paired contrasts over the whole study, corrected within each family.
# REQUIRED INPUTS: items, responses and over-time scores of all cells, the parity gate.
# OUTPUTS: results/compare/contrasts.csv, results/compare/flips.csv, results/compare/headline.json,
# results/compare/decomposition.csv, results/compare/trust*.csv


rule compare:
    """Edge minus desktop, edge minus cloud, variant minus full precision, on the same items."""
    input:
        item_tables=items_of(study.suites),
        responses=[path for cell in study.cells for path in study.responses(cell)],
        over_time=expand(
            "<results>/scores/{cell.path}/over_time.csv", cell=study.rounds_cells
        ),
        parity=expand("<results>/parity/{model}.json", model=study.parity_models()),
    output:
        contrasts=report(
            "<results>/compare/contrasts.csv",
            caption="../report/contrasts.rst",
            category="Contrasts",
        ),
        flips=report(
            "<results>/compare/flips.csv",
            caption="../report/flips.rst",
            category="Contrasts",
        ),
        headline="<results>/compare/headline.json",
    log:
        "<logs>/compare.log",
    benchmark:
        "<benchmarks>/compare.tsv"
    resources:
        mem_mb=500,
    params:
        code=code_of("compare"),
        settings=settings_of("compare"),
        items_folder=items_folder,
        results=results_folder,
    message:
        "compare environments and builds"
    shell:
        "python -m edgebias compare --settings {params.settings:q} --items-folder {params.items_folder:q}"
        " --responses-folder {params.results:q}/responses --scores-folder {params.results:q}/scores"
        " --contrasts {output.contrasts:q} --flips {output.flips:q} --headline {output.headline:q} 2> {log:q}"


rule decompose:
    """The excess of the edge build over each reference, split into model, build and environment."""
    input:
        item_tables=items_of(study.suites),
        responses=[path for cell in study.cells for path in study.responses(cell)],
        parity=rules.compare.input.parity,
    output:
        components=report(
            "<results>/compare/decomposition.csv",
            caption="../report/decomposition.rst",
            category="Contrasts",
        ),
    log:
        "<logs>/decompose.log",
    benchmark:
        "<benchmarks>/decompose.tsv"
    resources:
        mem_mb=500,
    params:
        code=code_of("decompose"),
        settings=settings_of("decompose"),
        items_folder=items_folder,
        results=results_folder,
    message:
        "take the excess of the edge build apart"
    shell:
        "python -m edgebias decompose --settings {params.settings:q} --items-folder {params.items_folder:q}"
        " --responses-folder {params.results:q}/responses --output {output.components:q} 2> {log:q}"


rule trust:
    """Trust of every build, 0 to 100, with controls that do not read, beside the full build, and by dose."""
    input:
        item_tables=items_of(study.trust_suites()),
        responses=[
            f"<results>/responses/{cell.path}/{suite}.parquet"
            for cell in study.cells
            for suite in study.suites_of(cell)
            if suite in study.trust_suites()
        ],
        records=expand("<models>/{pair[0]}/{pair[1]}.json", pair=study.local_variants()),
        parity=rules.compare.input.parity,
    output:
        trust=report(
            "<results>/compare/trust.csv",
            caption="../report/trust.rst",
            category="Contrasts",
        ),
        controls="<results>/compare/trust_controls.csv",
        correlations="<results>/compare/trust_correlations.csv",
        doses="<results>/compare/trust_doses.csv",
    log:
        "<logs>/trust.log",
    benchmark:
        "<benchmarks>/trust.tsv"
    resources:
        mem_mb=500,
    params:
        code=code_of("trust"),
        settings=settings_of("trust"),
        items_folder=items_folder,
        models=models_folder,
        results=results_folder,
    message:
        "score the trust of the builds"
    shell:
        "python -m edgebias trust --settings {params.settings:q} --items-folder {params.items_folder:q}"
        " --variants-folder {params.models:q} --responses-folder {params.results:q}/responses"
        " --output {output.trust:q} --controls {output.controls:q}"
        " --correlations {output.correlations:q} --doses {output.doses:q} 2> {log:q}"
