rule report:
    input:
        after("report"),
    output:
        report(
            at("report.html"),
            caption="../report/report.rst",
            category="Report",
            labels={"page": "report"},
        ),
        *others("report", ".html"),
    log:
        at("logs/report.log"),
    benchmark:
        at("benchmarks/report.jsonl")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        scenario=JOBS.file,
        partial=lambda wildcards: "--partial" if wildcards.part else "",
        notebooks=JOBS.notebooks,
    message:
        "Run the notebooks and render {output[0]}"
    shell:
        "frl report {params.scenario:q} {params.partial} --notebooks {params.notebooks:q} > {log} 2>&1"
