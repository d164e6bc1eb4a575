"""Every edit that a key's pane offers, by its name in addresses."""

from dashboard.keys.editing.operations import (
    hashes as hashes,
)
from dashboard.keys.editing.operations import (
    lists as lists,
)
from dashboard.keys.editing.operations import (
    modules as modules,
)
from dashboard.keys.editing.operations import (
    sets as sets,
)
from dashboard.keys.editing.operations import (
    sorted_sets as sorted_sets,
)
from dashboard.keys.editing.operations import (
    streams as streams,
)
from dashboard.keys.editing.operations import (
    strings as strings,
)
from dashboard.keys.editing.operations import (
    whole as whole,
)
from dashboard.keys.editing.operations.base import OPERATIONS as OPERATIONS
from dashboard.keys.editing.operations.base import EditForm as EditForm
from dashboard.keys.editing.operations.base import Operation as Operation
from dashboard.keys.editing.operations.base import ValueOperation as ValueOperation
