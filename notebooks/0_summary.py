# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% tags=["parameters"]
from pathlib import Path

from frl.spec import load_scenario

scenario = load_scenario("config/quick.yaml")
base = Path("results/quick")

# %%
from frl.analysis import show

# %% [markdown]
# # Summary
#
# What these runs say about the claims of the AFedPG paper. Everything here is computed from the runs' logs.

# %%
show.summary(scenario, base)

# %% [markdown]
# ## Before you believe it

# %%
show.cautions(scenario, base)
