"""The labels by which orch knows its own containers: part of the create call, and all that teardown goes by."""

from __future__ import annotations

PREFIX = "orch."
DEPLOYMENT = PREFIX + "deployment"
"""Name of the deployment."""
LAUNCH = PREFIX + "launch"
"""One start of a deployment: what a teardown selects, so that it never touches a later start of the same name."""
PROFILE = PREFIX + "profile"
"""Name of the profile."""
PROFILE_HASH = PREFIX + "profile-hash"
"""Hash of the resolved profile's container and server sections."""
FOLDER = PREFIX + "folder"
"""The deployment's folder on the node, with its lease and its record."""
HOLDS = PREFIX + "holds"
"""What the deployment keeps for itself, joined by commas."""
VERSION = PREFIX + "version"
"""Version of orch."""
