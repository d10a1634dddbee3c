# Does it matter who asks? PB of arXiv 2406.11107 beside its noise floor, and which identity differs.
# REQUIRED INPUTS: items and responses of suites that ask as several identities. OUTPUTS: results/compare/personalisation*.csv


rule personalisation:
    """Do safety and utility depend on the identity of the asker, beyond noise, and for whom?"""
    input:
        item_tables=items_of(study.identity_suites()),
        responses=[
            f"<results>/responses/{cell.path}/{suite}.parquet"
            for cell in study.cells
            for suite in study.suites_of(cell)
            if suite in study.identity_suites()
        ],
    output:
        bias=report(
            "<results>/compare/personalisation.csv",
            caption="../report/personalisation.rst",
            category="Contrasts",
        ),
        identities="<results>/compare/personalisation_identities.csv",
        mitigations="<results>/compare/personalisation_mitigations.csv",
    log:
        "<logs>/personalisation.log",
    benchmark:
        "<benchmarks>/personalisation.tsv"
    resources:
        mem_mb=500,
    params:
        code=code_of("personalisation"),
        settings=settings_of("personalisation"),
        items_folder=items_folder,
        results=results_folder,
    message:
        "compare who asks"
    shell:
        "python -m edgebias personalisation --settings {params.settings:q} --items-folder {params.items_folder:q}"
        " --responses-folder {params.results:q}/responses"
        " --output {output.bias:q} --identities {output.identities:q} --mitigations {output.mitigations:q} 2> {log:q}"
