rule collect:
    input:
        after("collect"),
    output:
        others("collect"),
    log:
        at("logs/collect.log"),
    benchmark:
        at("benchmarks/collect.jsonl")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        scenario=JOBS.file,
        partial=lambda wildcards: "--partial" if wildcards.part else "",
    message:
        "Collect the runs into {output[0]}"
    shell:
        "frl collect {params.scenario:q} {params.partial} > {log} 2>&1"
