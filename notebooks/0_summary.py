# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% tags=["parameters"]
from pathlib import Path

from frl.scenario.loading import load_scenario

scenario = load_scenario("config/quick.yaml")
base = Path("results/quick")

# %%
from frl.report import show

# %% [markdown]
# # Summary
#
# What these runs say about each claim. Everything here is computed from the runs' logs. The claimed numbers, the
# margins and what is primary stand in the claims file that the scenario names; the rules of judging are the same for
# every scenario.

# %% tags=["figure-forest"]
show.figure(
    scenario,
    base,
    "forest",
    "The ratio that each primary claim is about: what was claimed, and what was measured with its interval. Where "
    "there is no primary claim, all claims of a ratio are shown.",
)

# %%
show.summary(scenario, base)

# %% [markdown]
# ## Before you believe it

# %%
show.cautions(scenario, base)

# %%
show.power(scenario)
