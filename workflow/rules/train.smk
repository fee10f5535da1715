# Only its digest makes a run out of date: settings, the training code that its algorithm imports, and library versions.
# Snakemake deletes both outputs before a rerun; `frl train` restores them from results/.store/ if the same run was ever
# finished.
rule train:
    input:
        lambda wildcards: settle(),
    output:
        *[at_run(name) for name in RUN_FILES],
    log:
        at_run(LOG),
    benchmark:
        at_run(BENCHMARK)
    conda:
        "../../environment.yml"
    threads: lambda wildcards: JOBS.threads(wildcards)
    resources:
        in_turn=1,  # where a cluster's job has several runs (workflow/profiles/slurm)
        mem_mb=lambda wildcards, attempt: JOBS.request(wildcards, attempt)[1],
        runtime=lambda wildcards, attempt: JOBS.request(wildcards, attempt)[0],
    params:
        scenario=JOBS.file,
        digest=lambda wildcards: JOBS.digest(wildcards),
        which=lambda wildcards: JOBS.options(wildcards),
    message:
        JOBS.told
    shell:
        "frl train {params.scenario:q} {params.which} --expect-digest {params.digest} > {log} 2>&1"
