# What control vectors win back of the bias of compressed builds: their own, and that of the full build.
# REQUIRED INPUTS: items, records of builds, what `mitigate` left of each build and method. OUTPUTS: results/mitigation/wins_back.csv


rule wins_back:
    """Does a compressed build need a vector of its own? Both vectors, and none, on the same held-out items."""
    input:
        item_tables=items_of(study.mitigated_suites()),
        records=expand("<models>/{pair[0]}/{pair[1]}.json", pair=study.local_variants()),
        responses=study.won_back("responses.parquet"),
        scores=study.won_back("scores.csv"),
    output:
        table=report(
            "<results>/mitigation/wins_back.csv",
            caption="../report/wins_back.rst",
            category="Mitigation",
        ),
    log:
        "<logs>/wins_back.log",
    benchmark:
        "<benchmarks>/wins_back.tsv"
    resources:
        mem_mb=600,
    params:
        code=code_of("wins_back"),
        settings=settings_of("wins_back"),
        items_folder=items_folder,
        models=models_folder,
        results=results_folder,
    message:
        "compare what vectors win back"
    shell:
        "python -m edgebias wins-back --settings {params.settings:q} --items-folder {params.items_folder:q}"
        " --variants-folder {params.models:q} --results {params.results:q} --output {output.table:q} 2> {log:q}"
