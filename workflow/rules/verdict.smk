rule verdict:
    input:
        after("verdict"),
    output:
        report(
            at("tables/verdict.html"),
            caption="../report/verdict.rst",
            category="Verdict",
            labels={"table": "verdict"},
        ),
        *others("verdict", ".html"),
    log:
        at("logs/verdict.log"),
    benchmark:
        at("benchmarks/verdict.jsonl")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        scenario=JOBS.file,
        partial=lambda wildcards: "--partial" if wildcards.part else "",
    message:
        "Judge the claims"
    shell:
        "frl verdict {params.scenario:q} {params.partial} > {log} 2>&1"
