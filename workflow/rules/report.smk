# One self-contained page, the headline numbers, and where every number came from.
# REQUIRED INPUTS: all tables of the study. OUTPUTS: results/report/index.html, metrics.json, results/provenance.json


rule provenance:
    """Versions, processor and hashes: they differ between machines, so they have a file of their own."""
    input:
        params="params.yaml",
        weights=expand(
            "data/models/{pair[0]}/{pair[1]}.gguf", pair=study.local_variants()
        ),
        code=code_of("edgebias.stages.provenance"),
    output:
        provenance="results/provenance.json",
    log:
        "logs/provenance.log",
    benchmark:
        "logs/benchmarks/provenance.tsv"
    message:
        "record versions, machine and hashes"
    shell:
        "python -m edgebias.stages.provenance --files {input.params:q} {input.weights:q} --output {output.provenance:q} 2> {log:q}"


rule roofline:
    """What published figures of a Raspberry Pi allow each build: a projection, the same bytes on every machine."""
    input:
        hardware="data/hardware/raspberry_pi.csv",
        weights=expand(
            "data/models/{pair[0]}/{pair[1]}.gguf", pair=study.local_variants()
        ),
        code=code_of("edgebias.stages.roofline"),
    output:
        projection="results/roofline/projection.csv",
    log:
        "logs/roofline.log",
    benchmark:
        "logs/benchmarks/roofline.tsv"
    message:
        "project the builds on a Raspberry Pi"
    shell:
        "python -m edgebias.stages.roofline --weights {input.weights:q} --hardware {input.hardware:q}"
        " --output {output.projection:q} 2> {log:q}"


rule report:
    """The page that a reader opens: question, answer in three sentences, figures, tables, limits, provenance."""
    input:
        prompts=expand("data/prompts/{suite}.parquet", suite=study.suites),
        records=expand(
            "data/models/{pair[0]}/{pair[1]}.json", pair=study.local_variants()
        ),
        responses=[path for cell in study.cells for path in study.responses(cell)],
        scores=study.scores(),
        rounds=expand(
            "results/scores/{cell.path}/over_time_rounds.csv", cell=study.rounds_cells
        ),
        costs=study.costs(),
        parity=rules.compare.input.parity,
        contrasts=rules.compare.output.contrasts,
        headline=rules.compare.output.headline,
        mitigation_scores=study.mitigation("scores.csv"),
        mitigation_costs=study.mitigation("cost.json"),
        trajectory=study.trajectories(),
        layer_probes=study.layer_probes(),
        robustness=study.robustness(),
        provenance=rules.provenance.output.provenance,
        paper="data/paper/edge_bias.csv",
        projection=rules.roofline.output.projection,
        hardware=rules.roofline.input.hardware,
        code=code_of("edgebias.stages.report"),
    output:
        page=report(
            "results/report/index.html",
            caption="../report/page.rst",
            category="Report",
        ),
        metrics="results/report/metrics.json",
    log:
        "logs/report.log",
    benchmark:
        "logs/benchmarks/report.tsv"
    params:
        settings=settings_of("report"),
    message:
        "write the report"
    shell:
        "python -m edgebias.stages.report --settings {params.settings:q} --prompts-folder data/prompts --variants-folder data/models"
        " --responses-folder results/responses --scores-folder results/scores --cost-folder results/cost"
        " --parity-folder results/parity --contrasts {input.contrasts:q} --headline {input.headline:q}"
        " --mitigation-folder results/mitigation --robustness-folder results/robustness"
        " --provenance {input.provenance:q} --paper {input.paper:q}"
        " --projection {input.projection:q} --hardware {input.hardware:q}"
        " --output {output.page:q} --metrics {output.metrics:q} --figures-folder results/report/figures 2> {log:q}"
