from frl.face.collection import Runs as Runs
from frl.face.comparison import Comparison as Comparison
from frl.face.facts import ComparabilityWarning as ComparabilityWarning
from frl.face.facts import RunsError as RunsError
from frl.face.reading import from_csv as from_csv
from frl.face.reading import published as published
from frl.face.reading import runs as runs
from frl.face.training import train as train
from frl.scenario.loading import load_scenario as load_scenario
from frl.scenario.scenario import Scenario as Scenario
from frl.spec import RunSpec as RunSpec
from frl.training.servers.base import Server as Server
from frl.training.servers.base import Task as Task
from frl.training.servers.base import Update as Update
from frl.verdicts.judge import judge as judge

__version__: str
