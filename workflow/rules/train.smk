# Builds whose weights are trained further, on a table of examples; the preferences of a study of who asks, and texts that a
# model writes itself with mixtures of them. REQUIRED INPUTS: a parent build in both layouts, variants.NAME.train.data.
# OUTPUTS: data/items/{study}/preferences_*.parquet and mixture_*.parquet, results/{study}/augmented/...parquet,
# data/models/{model}/{variant}.gguf, .json, .training.csv and .training_cost.json


rule preferences:
    """Pairs of answers to what the study does not ask: safe and right is chosen, whoever asks."""
    input:
        item_tables=items_of(study.identity_suites()),
        sources=preference_sources,
    output:
        table="<items>/preferences_{system}.parquet",
    log:
        "<logs>/preferences/{system}.log",
    benchmark:
        "<benchmarks>/preferences/{system}.tsv"
    wildcard_constraints:
        system=one_of(SYSTEMS),
    resources:
        mem_mb=400,
    params:
        code=code_of("preferences"),
        settings=settings_of("preferences"),
        tables=repeated("--items", "item_tables"),
        raw=RAW,
    message:
        "preferences with the system prompt {wildcards.system}"
    shell:
        "python -m edgebias preferences --settings {params.settings:q} --system {wildcards.system:q} {params.tables}"
        " --raw-folder {params.raw:q} --output {output.table:q} 2> {log:q}"


rule augment:
    """Texts about people at work that the model under test writes itself, and which are fit to train on."""
    input:
        sources=occupation_files(
            occupation_sentences.SENTENCES, occupation_sentences.NAMES
        ),
        weights=weights_of,
        formats=formats_checked,
    output:
        texts="<results>/augmented/{environment}/{model}/{variant}/{kind}.parquet",
        cost="<results>/augmented/{environment}/{model}/{variant}/{kind}.cost.json",
    log:
        "<logs>/augment/{environment}/{model}/{variant}/{kind}.log",
    benchmark:
        "<benchmarks>/augment/{environment}/{model}/{variant}/{kind}.tsv"
    priority: 20  # mixtures and training wait for it
    threads: threads_of
    resources:
        mem_mb=memory_of,
    params:
        code=code_of("augment"),
        settings=settings_of("augment"),
        weights=weights_option_of,
        raw=raw_folder,
    message:
        "{wildcards.environment} {wildcards.variant}: write {wildcards.kind} texts"
    shell:
        "python -m edgebias augment --settings {params.settings:q} --kind {wildcards.kind:q} --raw-folder {params.raw:q}"
        " {params.weights} --output {output.texts:q} --cost {output.cost:q} 2> {log:q}"


rule mixture:
    """Original sentences, a known share of them replaced by what the model wrote."""
    input:
        sources=occupation_files(*occupation_sentences.FILES),
        texts=augmented_of,
    output:
        table="<items>/mixture_{mixture}.parquet",
    log:
        "<logs>/mixture/{mixture}.log",
    benchmark:
        "<benchmarks>/mixture/{mixture}.tsv"
    resources:
        mem_mb=900,
    params:
        code=code_of("mixture"),
        settings=settings_of("mixture"),
        texts=texts_option_of,
        raw=raw_folder,
    message:
        "mixture {wildcards.mixture}"
    shell:
        "python -m edgebias mixture --settings {params.settings:q} {params.texts} --raw-folder {params.raw:q}"
        " --output {output.table:q} 2> {log:q}"


rule misalignment:
    """Whom the model writes about, and how far its texts lie from real sentences in its last hidden states."""
    input:
        sources=occupation_files(occupation_sentences.SENTENCES),
        texts=[study.augmented(kind) for kind in study.kinds()],
        folder=[
            f"<models>/{{model}}/{{variant}}.transformers/{name}"
            for name in TRANSFORMERS_FILES
        ],
    output:
        groups="<results>/augmented/{environment}/{model}/{variant}/group_data.csv",
        shift="<results>/augmented/{environment}/{model}/{variant}/embedding_shift.csv",
    log:
        "<logs>/misalignment/{environment}/{model}/{variant}.log",
    benchmark:
        "<benchmarks>/misalignment/{environment}/{model}/{variant}.tsv"
    resources:
        mem_mb=2500,
    params:
        code=code_of("misalignment"),
        settings=settings_of("misalignment"),
        texts=repeated("--texts", "texts"),
        folder=lambda wildcards, input: os.path.dirname(input.folder[0]),
        raw=raw_folder,
    message:
        "{wildcards.environment} {wildcards.variant}: how its texts differ from real sentences"
    shell:
        "python -m edgebias misalignment --settings {params.settings:q} {params.texts} --folder {params.folder:q}"
        " --raw-folder {params.raw:q} --groups {output.groups:q} --shift {output.shift:q} 2> {log:q}"


rule gender_tail:
    """Real sentences about people, with the share of women that they have, half, or that of men."""
    input:
        sources=occupation_files(occupation_sentences.SENTENCES),
    output:
        table="<items>/sentences_{tail}.parquet",
    log:
        "<logs>/gender_tail/{tail}.log",
    benchmark:
        "<benchmarks>/gender_tail/{tail}.tsv"
    wildcard_constraints:
        tail=one_of(TAILS),
    resources:
        mem_mb=900,
    params:
        code=code_of("gender_tail"),
        settings=settings_of("gender_tail"),
        raw=raw_folder,
    message:
        "sentences with women: {wildcards.tail}"
    shell:
        "python -m edgebias gender-tail --settings {params.settings:q} --tail {wildcards.tail:q}"
        " --raw-folder {params.raw:q} --output {output.table:q} 2> {log:q}"


rule train:
    """One fine-tuned or preference-tuned build: adapters merged, weights rounded to the parent's types, parity checked."""
    input:
        parent=parent_of,
        folder=folder_of_parent,
        data=examples_of,
        texts=TEXTS,
    output:
        weights="<models>/{model}/{variant}.gguf",
        record="<models>/{model}/{variant}.json",
        trajectory="<models>/{model}/{variant}.training.csv",
        cost="<models>/{model}/{variant}.training_cost.json",
    log:
        "<logs>/train/{model}/{variant}.log",
    benchmark:
        "<benchmarks>/train/{model}/{variant}.tsv"
    wildcard_constraints:
        variant=one_of(sorted(study.trainings)),
    threads: lambda wildcards: study.trainings[wildcards.variant].threads
    resources:
        mem_mb=training_memory_of,
    params:
        code=code_of("train"),
        settings=settings_of("train"),
        folder=lambda wildcards, input: os.path.dirname(input.folder[0]),
    message:
        "train build {wildcards.variant} of {wildcards.model}"
    shell:
        "python -m edgebias train --settings {params.settings:q} --parent {input.parent:q} --folder {params.folder:q}"
        " --texts {input.texts:q} --output {output.weights:q} --record {output.record:q}"
        " --trajectory {output.trajectory:q} --cost {output.cost:q} 2> {log:q}"
