# The feedback loop on the edge build, beside a prompt baseline and no mitigation, on held-out items.
# REQUIRED INPUTS: items, weights of the edge build. OUTPUTS: results/mitigation/{environment}/{model}/{variant}/{method}/...,
# and layer_probes.csv of each probed cell.


rule directions:
    """Found on calibration clusters, without each fold in turn: the loop judges a fold under what has not seen it."""
    input:
        item_tables=items_of(study.steered_suites()),
        texts=TEXTS,
        answers="<results>/mitigation/{environment}/{model}/reference_answers.parquet",
        weights=weights_of,
    output:
        control_vector="<results>/mitigation/{environment}/{model}/{variant}/directions/{source}/{fitted_on}/control_vector.gguf",
        training="<results>/mitigation/{environment}/{model}/{variant}/directions/{source}/{fitted_on}/training.csv",
    log:
        "<logs>/directions/{environment}/{model}/{variant}/{source}/{fitted_on}.log",
    benchmark:
        "<benchmarks>/directions/{environment}/{model}/{variant}/{source}/{fitted_on}.tsv"
    priority: 20  # the longest chain of jobs: build, build, directions, fit, mitigate
    threads: threads_of
    resources:
        mem_mb=learning_memory_of,
    params:
        code=code_of("directions"),
        settings=settings_of("directions"),
        items_folder=items_folder,
        weights=weights_option_of,
    message:
        "{wildcards.environment} {wildcards.variant}: {wildcards.source} directions from {wildcards.fitted_on}"
    shell:
        "python -m edgebias directions --settings {params.settings:q} --source {wildcards.source:q}"
        " --fitted-on {wildcards.fitted_on:q} --items-folder {params.items_folder:q} --texts {input.texts:q} --answers {input.answers:q}"
        " {params.weights} --control-vector {output.control_vector:q} --training {output.training:q} 2> {log:q}"


rule shipped_directions:
    """What the loop judges, on average: a vector found from more items would do more than the loop has seen."""
    input:
        directions_without=directions_without_of,
        weights=weights_of,
    output:
        control_vector="<results>/mitigation/{environment}/{model}/{variant}/directions/{source}/mean_of_folds/control_vector.gguf",
    log:
        "<logs>/shipped_directions/{environment}/{model}/{variant}/{source}.log",
    benchmark:
        "<benchmarks>/shipped_directions/{environment}/{model}/{variant}/{source}.tsv"
    priority: 20  # the longest chain of jobs: build, build, directions, fit, mitigate
    resources:
        mem_mb=600,
    params:
        code=code_of("shipped_directions"),
        weights=weights_option_of,
        directions_without=repeated("--directions-without", "directions_without"),
    message:
        "{wildcards.environment} {wildcards.variant}: mean of the {wildcards.source} directions"
    shell:
        "python -m edgebias shipped-directions {params.weights} {params.directions_without}"
        " --control-vector {output.control_vector:q} 2> {log:q}"


rule layer_probes:
    """Where a stereotype is legible, block by block, beside what the words alone tell: before anything is steered there."""
    input:
        item_tables=items_of(study.layer_probe_suites()),
        weights=weights_of,
    output:
        table=report(
            "<results>/mitigation/{environment}/{model}/{variant}/layer_probes.csv",
            caption="../report/layer_probes.rst",
            category="Mitigation",
        ),
    log:
        "<logs>/layer_probes/{environment}/{model}/{variant}.log",
    benchmark:
        "<benchmarks>/layer_probes/{environment}/{model}/{variant}.tsv"
    threads: threads_of
    resources:
        mem_mb=memory_of,
    params:
        code=code_of("layer_probes"),
        settings=settings_of("layer_probes"),
        items_folder=items_folder,
        weights=weights_option_of,
    message:
        "{wildcards.environment} {wildcards.variant}: probe every block"
    shell:
        "python -m edgebias layer-probes --settings {params.settings:q} --items-folder {params.items_folder:q} {params.weights}"
        " --table {output.table:q} 2> {log:q}"


rule reference_answers:
    """What a mitigated build should still find likely is what its uncompressed parent says in use."""
    input:
        weights="<models>/{model}/full.gguf",
    output:
        answers="<results>/mitigation/{environment}/{model}/reference_answers.parquet",
    log:
        "<logs>/reference_answers/{environment}/{model}.log",
    benchmark:
        "<benchmarks>/reference_answers/{environment}/{model}.tsv"
    priority: 20  # learning and the feedback loop wait for it
    threads: threads_of
    resources:
        mem_mb=memory_of,
    params:
        code=code_of("reference_answers"),
        settings=settings_of("reference_answers"),
    message:
        "{wildcards.environment} {wildcards.model}: reference answers of the uncompressed build"
    shell:
        "python -m edgebias reference-answers --settings {params.settings:q} --weights {input.weights:q}"
        " --answers {output.answers:q} 2> {log:q}"


rule gate:
    """Steering costs texts that it was not learned for; the gate tells from a request's words whether it is one."""
    input:
        item_tables=items_of(study.steered_suites()),
        texts=TEXTS,
        answers="<results>/mitigation/{environment}/{model}/reference_answers.parquet",
        weights=weights_of,
    output:
        gate="<results>/mitigation/{environment}/{model}/{variant}/gate.json",
    log:
        "<logs>/gate/{environment}/{model}/{variant}.log",
    benchmark:
        "<benchmarks>/gate/{environment}/{model}/{variant}.tsv"
    priority: 10
    threads: threads_of
    resources:
        mem_mb=memory_of,
    params:
        code=code_of("gate"),
        settings=settings_of("gate"),
        items_folder=items_folder,
        weights=weights_option_of,
    message:
        "{wildcards.environment} {wildcards.variant}: fit the gate"
    shell:
        "python -m edgebias gate --settings {params.settings:q} --items-folder {params.items_folder:q}"
        " --texts {input.texts:q} --answers {input.answers:q} {params.weights} --gate {output.gate:q} 2> {log:q}"


rule conditional_steering:
    """A gated method of the field beside ours: its own vector, and a condition on the running hidden state."""
    input:
        item_tables=items_of(study.steered_suites()),
        texts=TEXTS,
        answers="<results>/mitigation/{environment}/{model}/reference_answers.parquet",
        weights=weights_of,
    output:
        control_vector="<results>/mitigation/{environment}/{model}/{variant}/conditional_steering/control_vector.gguf",
        condition="<results>/mitigation/{environment}/{model}/{variant}/conditional_steering/condition.json",
    log:
        "<logs>/conditional_steering/{environment}/{model}/{variant}.log",
    benchmark:
        "<benchmarks>/conditional_steering/{environment}/{model}/{variant}.tsv"
    priority: 10
    threads: threads_of
    resources:
        mem_mb=memory_of,
    params:
        code=code_of("conditional_steering"),
        settings=settings_of("conditional_steering"),
        items_folder=items_folder,
        weights=weights_option_of,
    message:
        "{wildcards.environment} {wildcards.variant}: fit conditional steering"
    shell:
        "python -m edgebias conditional-steering --settings {params.settings:q} --items-folder {params.items_folder:q}"
        " --texts {input.texts:q} --answers {input.answers:q} {params.weights}"
        " --control-vector {output.control_vector:q} --condition {output.condition:q} 2> {log:q}"


rule fit_feedback_loop:
    """The loop is unrolled inside one job and leaves its whole trajectory; it sees calibration clusters only."""
    input:
        item_tables=items_of(study.steered_suites()),
        texts=TEXTS,
        answers="<results>/mitigation/{environment}/{model}/reference_answers.parquet",
        weights=weights_of,
        directions=directions_of,
        directions_without=directions_without_of,
        gate=gate_of,
    output:
        control_vector="<results>/mitigation/{environment}/{model}/{variant}/{loop}/control_vector.gguf",
        trajectory=report(
            "<results>/mitigation/{environment}/{model}/{variant}/{loop}/trajectory.csv",
            caption="../report/trajectory.rst",
            category="Mitigation",
        ),
        state="<results>/mitigation/{environment}/{model}/{variant}/{loop}/state.json",
    log:
        "<logs>/fit_feedback_loop/{environment}/{model}/{variant}/{loop}.log",
    benchmark:
        "<benchmarks>/fit_feedback_loop/{environment}/{model}/{variant}/{loop}.tsv"
    priority: 20  # the longest chain of jobs: build, build, directions, fit, mitigate
    threads: threads_of
    resources:
        mem_mb=memory_of,
    params:
        code=code_of("fit_feedback_loop"),
        settings=settings_of("fit_feedback_loop"),
        items_folder=items_folder,
        weights=weights_option_of,
        directions_without=repeated("--directions-without", "directions_without"),
        gate=gate_option_of,
    message:
        "{wildcards.environment} {wildcards.variant}: fit the {wildcards.loop}"
    shell:
        "python -m edgebias fit-feedback-loop --settings {params.settings:q} --items-folder {params.items_folder:q} --texts {input.texts:q}"
        " --answers {input.answers:q} {params.weights} --directions {input.directions:q} {params.directions_without} {params.gate}"
        " --control-vector {output.control_vector:q} --trajectory {output.trajectory:q} --state {output.state:q} 2> {log:q}"


rule mitigate:
    """Bias, accuracies, false abstention, perplexity and cost of one method, always together."""
    input:
        item_tables=items_of(study.mitigated_suites()),
        texts=TEXTS,
        answers="<results>/mitigation/{environment}/{model}/reference_answers.parquet",
        weights=weights_of,
        baseline=baseline_of,
        control_vector=control_vector_of,
        gate=gate_of,
    output:
        responses="<results>/mitigation/{environment}/{model}/{variant}/{method}/responses.parquet",
        scores="<results>/mitigation/{environment}/{model}/{variant}/{method}/scores.csv",
        cost="<results>/mitigation/{environment}/{model}/{variant}/{method}/cost.json",
    log:
        "<logs>/mitigate/{environment}/{model}/{variant}/{method}.log",
    benchmark:
        "<benchmarks>/mitigate/{environment}/{model}/{variant}/{method}.tsv"
    priority: 10  # below what the feedback loop waits for, above all other cells
    threads: threads_of
    resources:
        mem_mb=memory_of,
    params:
        code=code_of("mitigate"),
        settings=settings_of("mitigate"),
        items_folder=items_folder,
        weights=weights_option_of,
        baseline=baseline_option_of,
        control_vector=control_vector_option_of,
        gate=gate_option_of,
    message:
        "{wildcards.environment} {wildcards.variant}: held-out items with {wildcards.method}"
    shell:
        "python -m edgebias mitigate --settings {params.settings:q} --method {wildcards.method:q}"
        " --items-folder {params.items_folder:q} --texts {input.texts:q} --answers {input.answers:q}"
        " {params.weights} {params.baseline} {params.control_vector} {params.gate}"
        " --responses {output.responses:q} --scores {output.scores:q} --cost {output.cost:q} 2> {log:q}"


rule control_vector_card:
    """A vector that is passed on says what it was fitted on, what it did to held-out items, and its limits."""
    input:
        state="<results>/mitigation/{environment}/{model}/{variant}/{loop}/state.json",
        before="<results>/mitigation/{environment}/{model}/{variant}/none/scores.csv",
        vector="<results>/mitigation/{environment}/{model}/{variant}/{loop}/control_vector.gguf",
        after="<results>/mitigation/{environment}/{model}/{variant}/{loop}/scores.csv",
        gate=gate_of,
    output:
        card="<results>/mitigation/{environment}/{model}/{variant}/{loop}/model_card.md",
    log:
        "<logs>/control_vector_card/{environment}/{model}/{variant}/{loop}.log",
    benchmark:
        "<benchmarks>/control_vector_card/{environment}/{model}/{variant}/{loop}.tsv"
    resources:
        mem_mb=400,
    params:
        code=code_of("control_vector_card"),
        gate=gate_option_of,
    message:
        "{wildcards.environment} {wildcards.variant}: card of the control vector of the {wildcards.loop}"
    shell:
        "python -m edgebias control-vector-card --name {wildcards.environment:q}/{wildcards.model:q}/{wildcards.variant:q}"
        " --state {input.state:q} --before {input.before:q} --after {input.after:q}"
        " --control-vector {input.vector:q} {params.gate} --card {output.card:q} 2> {log:q}"
