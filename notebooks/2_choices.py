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
show.trials(scenario)

# %%
show.power(scenario)

# %% [markdown]
# ## Deviations and limits
#
# - The authors publish neither code nor settings. Learner, settings, fleet and budgets here are ours.
# - Time is simulated: an agent's task lasts as long as its fleet says, and nothing else runs beside it.
# - A3C-style is not A3C to the letter: its advantages may be standardised, and its critic is fitted as every method's.
# - The poster's curves were read off a picture, to about ±0.7 return and ±1 % of x, and are means over seeds.
# - No run is dropped: one that is missing is listed, and one that diverged is kept in every mean at its last finite
#   return and marked by a cross in the figures.

# %%
show.cautions(scenario, base)

# %%
show.incomplete(base)

# %% [markdown]
# Verdicts rest on log times to the threshold, not on mean returns; how often they are wrong is simulated in the tests
# (tests/unit/test_power.py). A 95 % interval of a mean return from few seeds holds the truth less often than 95 % of
# the time if the seeds are not normally distributed, and on Swimmer they often are not: some leave a plateau at 30 to
# 35 and some do not.

# %%
show.interval_coverage(scenario)
