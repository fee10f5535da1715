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
# This notebook draws published curves beside your own and estimates how many times as many samples one takes as the
# other. The published runs of `quick` stand for yours. Replace them by your folder, which is `results/NAME` after `frl
# train NAME.yaml ...` or Snakemake. `frl.from_csv("mine.csv", environment="Swimmer", n_agents=8)` reads a table of
# another code base, with columns `method`, `seed`, `samples`, `return` and, if there is any, `time`. Start Jupyter in
# the repository's folder.

# %%
import frl

published = frl.published("poster").select(method="afedpg", n_agents=[1, 8])
mine = frl.runs("results/published/quick").select(method="afedpg", n_agents=8).rename({"afedpg": "mine"})
both = published + mine

# %% [markdown]
# A warning names each setting in which the runs differ.

# %%
both.plot("samples")

# %%
both.samples_to(100)

# %%
print(both.compare(("afedpg", 8), "mine", by="samples", level=100))
