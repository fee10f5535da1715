rule tables:
    input:
        after("tables"),
    output:
        *[
            report(
                at(f"tables/{name}.html"),
                caption=f"../report/{name}.rst",
                category="Tables",
                labels={"table": name.replace("_", " ")},
            )
            for name in TABLES
        ],
        *others("tables", ".html"),
    log:
        at("logs/tables.log"),
    benchmark:
        at("benchmarks/tables.jsonl")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        scenario=JOBS.file,
        partial=lambda wildcards: "--partial" if wildcards.part else "",
    message:
        "Write the tables"
    shell:
        "frl tables {params.scenario:q} {params.partial} > {log} 2>&1"
