# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Compare your own runs
#
# Published curves, your own beside them, and how many times as many samples the one takes as the other. Here the
# published folder `best` stands in for your own: put your folder there, which is `results/NAME` after
# `frl train NAME.yaml ...` or Snakemake. A table of another code base is read by `frl.from_csv("mine.csv",
# environment="Swimmer", n_agents=1)`: columns `method`, `seed`, `samples`, `return`, and `time` if there is any.
# Start Jupyter in the repository's folder.

# %%
import frl

published = frl.published("swimmer").select(method="afedpg", n_agents=[1, 8])
mine = frl.runs("results/published/best").select(method="afedpg", n_agents=1).rename({"afedpg": "mine"})
both = published + mine

# %% [markdown]
# A warning names each setting in which the runs differ.

# %%
both.plot("samples")

# %%
both.samples_to(100)

# %%
print(both.compare(("afedpg", 1), "mine", by="samples", level=100))
