# The headline numbers, one self-contained page, and where every number came from.
# REQUIRED INPUTS: all tables of the study. OUTPUTS: results/report/metrics.json, index.html, results/provenance.json


rule roofline:
    """What published figures of a Raspberry Pi allow each build: a projection, the same bytes on every machine."""
    input:
        hardware="data/hardware/raspberry_pi.csv",
        weights=expand("<models>/{pair[0]}/{pair[1]}.gguf", pair=study.local_variants()),
    output:
        projection="<results>/roofline/projection.csv",
    log:
        "<logs>/roofline.log",
    benchmark:
        "<benchmarks>/roofline.tsv"
    resources:
        mem_mb=400,
    params:
        code=code_of("roofline"),
        weights=repeated("--weights", "weights"),
    message:
        "project the builds on a Raspberry Pi"
    shell:
        "python -m edgebias roofline {params.weights} --hardware {input.hardware:q}"
        " --output {output.projection:q} 2> {log:q}"


rule report:
    """The headline numbers: the same bytes wherever the study ran."""
    input:
        item_tables=items_of(study.suites),
        records=expand("<models>/{pair[0]}/{pair[1]}.json", pair=study.local_variants()),
        responses=[path for cell in study.cells for path in study.responses(cell)],
        scores=study.scores(),
        rounds=expand(
            "<results>/scores/{cell.path}/over_time_rounds.csv",
            cell=study.rounds_cells,
        ),
        parity=rules.compare.input.parity,
        arithmetic=expand(
            "<results>/arithmetic/{model}.json", model=study.parity_models()
        ),
        contrasts=rules.compare.output.contrasts,
        flips=rules.compare.output.flips,
        headline=rules.compare.output.headline,
        decomposition=study.decomposition(),
        trust=study.trust(),
        trust_paper=study.trust_paper(),
        personalisation=study.personalisation(),
        inheritance=study.inheritance(),
        misalignment=study.misalignment(),
        wins_back=study.wins_back(),
        damage=study.damage(),
        mitigation_scores=study.mitigation("scores.csv"),
        trajectory=study.trajectories(),
        layer_probes=study.layer_probes(),
        robustness=study.robustness(),
        paper="data/paper/edge_bias.csv",
        projection=rules.roofline.output.projection,
        hardware=rules.roofline.input.hardware,
    output:
        metrics="<results>/report/metrics.json",
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    resources:
        mem_mb=700,
    params:
        code=code_of("report"),
        settings=settings_of("report"),
        items_folder=items_folder,
        models=models_folder,
        results=results_folder,
    message:
        "write the headline numbers"
    shell:
        "python -m edgebias report --settings {params.settings:q} --items-folder {params.items_folder:q}"
        " --variants-folder {params.models:q} --results {params.results:q} --paper {input.paper:q} --hardware {input.hardware:q}"
        " --metrics {output.metrics:q} 2> {log:q}"


rule page:
    """The page that a reader opens: question, answer in three sentences, figures, tables, limits, provenance."""
    input:
        *rules.report.input,
        metrics=rules.report.output.metrics,
        paper=rules.report.input.paper,
        hardware=rules.report.input.hardware,
    output:
        page=report(
            "<results>/report/index.html",
            caption="../report/page.rst",
            category="Report",
        ),
        provenance="<results>/provenance.json",
    log:
        "<logs>/page.log",
    benchmark:
        "<benchmarks>/page.tsv"
    resources:
        mem_mb=700,
    params:
        code=code_of("page"),
        settings=settings_of("page"),
        files=files_of_study,
        items_folder=items_folder,
        models=models_folder,
        results=results_folder,
    message:
        "write the page"
    shell:
        "( python -m edgebias provenance {params.files} --output {output.provenance:q} &&"
        " python -m edgebias page --settings {params.settings:q} --items-folder {params.items_folder:q}"
        " --variants-folder {params.models:q} --results {params.results:q} --paper {input.paper:q} --hardware {input.hardware:q}"
        " --page {output.page:q} ) 2> {log:q}"
