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
# ## How the settings were chosen

# %%
show.tuned(scenario)

# %%
show.power(scenario)

# %% [markdown]
# ## Deviations and limits
#
# - The authors publish neither code nor settings. Learner, settings, fleet and budgets here are ours.
# - Simulated time: an agent's task lasts as long as its fleet says, and nothing else runs beside it.
# - A3C-style is not exactly A3C: its advantages may be standardised, and its critic is fitted as for the other methods.
# - The poster's curves were read off a picture, to about ±0.7 return and ±1 % of x. They are means over seeds.
# - No run is dropped. Missing runs are listed. A run that diverged stays in every mean with its last finite return, and
#   figures mark it with a cross.

# %%
show.cautions(scenario, base)

# %%
show.incomplete(base)

# %% [markdown]
# Verdicts rest on log times to the threshold, not on mean returns. The tests simulate how often they are wrong
# (tests/unit/test_power.py). With few seeds that are not normally distributed, a 95 % interval of a mean return holds
# the truth less than 95 % of the time. On Swimmer this is common: some seeds leave a plateau at 30 to 35, and others do
# not.

# %%
show.interval_coverage(scenario)
