# No input makes a run out of date, only its digest does: settings, the training code that its algorithm imports, and
# library versions. Snakemake deletes both outputs before a rerun; `frl train` restores them from results/.store/ if the
# same run was ever finished.
rule train:
    input:
        scenario=ancient(SCENARIO_FILE),
    output:
        csv=f"{BASE}/runs/{RUN}.csv",
        meta=f"{BASE}/runs/{RUN}.meta.json",
    log:
        f"{BASE}/logs/train/{RUN}.log",
    benchmark:
        f"{BASE}/benchmarks/train/{RUN}.jsonl"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory_mb,
        runtime=runtime_minutes,
    params:
        digest=planned_digest,
    message:
        "Train {wildcards.method} on {wildcards.environment}, N = {wildcards.n_agents}, seed {wildcards.seed}"
    shell:
        "frl train {input.scenario:q} --environment {wildcards.environment} --method {wildcards.method}"
        " --n-agents {wildcards.n_agents} --seed {wildcards.seed} --expect-digest {params.digest} > {log} 2>&1"
