rule figures:
    input:
        after("figures"),
    output:
        *[
            report(
                at(f"figures/{name}.svg"),
                caption=f"../report/{name}.rst",
                category="Figures",
                labels={"figure": name.replace("_", " ")},
            )
            for name in JOBS.figures
        ],
        *others("figures", *(f"figures/{name}.svg" for name in JOBS.figures)),
    log:
        at("logs/figures.log"),
    benchmark:
        at("benchmarks/figures.jsonl")
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        scenario=JOBS.file,
        partial=lambda wildcards: "--partial" if wildcards.part else "",
    message:
        "Draw the figures"
    shell:
        "frl figures {params.scenario:q} {params.partial} > {log} 2>&1"
