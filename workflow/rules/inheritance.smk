# What do builds inherit from texts that the model wrote itself? Scores against their share (arXiv 2502.04419).
# REQUIRED INPUTS: items and responses of builds trained on mixtures. OUTPUTS: results/compare/inheritance*.csv


rule inheritance:
    """Does bias grow with the share of self-written examples, and what takes it away?"""
    input:
        item_tables=items_of(study.suites),
        responses=[path for cell in study.cells for path in study.responses(cell)],
        texts=study.augmented_texts(),
    output:
        estimates=report(
            "<results>/compare/inheritance.csv",
            caption="../report/inheritance.rst",
            category="Contrasts",
        ),
        trends="<results>/compare/inheritance_trends.csv",
        mitigations="<results>/compare/inheritance_mitigations.csv",
        written="<results>/compare/inheritance_texts.csv",
    log:
        "<logs>/inheritance.log",
    benchmark:
        "<benchmarks>/inheritance.tsv"
    resources:
        mem_mb=600,
    params:
        code=code_of("inheritance"),
        settings=settings_of("inheritance"),
        items_folder=items_folder,
        results=results_folder,
        texts=repeated("--texts", "texts"),
    message:
        "compare what is inherited"
    shell:
        "python -m edgebias inheritance --settings {params.settings:q} --items-folder {params.items_folder:q}"
        " --responses-folder {params.results:q}/responses {params.texts}"
        " --output {output.estimates:q} --trends {output.trends:q} --mitigations {output.mitigations:q}"
        " --written {output.written:q} 2> {log:q}"
