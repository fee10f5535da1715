# Only its digest makes a run out of date: settings, the training code that its algorithm imports, and library versions.
# Snakemake deletes both outputs before a rerun; `frl train` restores them from results/.store/ if the same run was ever
# finished.
rule train:
    input:
        lambda wildcards: settle(),
    output:
        *[f"{BASE}/runs/{RUN_ID}{suffix}" for suffix in RUN_SUFFIXES],
    log:
        f"{BASE}/{LOG}",
    benchmark:
        f"{BASE}/{BENCHMARK}"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: JOBS.request(wildcards, attempt)[1],
        runtime=lambda wildcards, attempt: JOBS.request(wildcards, attempt)[0],
    params:
        scenario=JOBS.file,
        digest=lambda wildcards: JOBS.digest(wildcards),
    message:
        "Train {wildcards.method} on {wildcards.environment}, N = {wildcards.n_agents}, seed {wildcards.seed}"
    shell:
        "frl train {params.scenario:q} --environment {wildcards.environment} --method {wildcards.method}"
        " --n-agents {wildcards.n_agents} --seed {wildcards.seed} --expect-digest {params.digest} > {log} 2>&1"
