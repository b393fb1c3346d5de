"""The techniques of MITRE ATT&CK (Containers and Linux matrices, version 16 and later) that our rules name."""

from typing import Final

from pratique.model import Technique

EXFILTRATION_C2: Final = Technique("T1041", "Exfiltration Over C2 Channel")
EXFILTRATION_ALTERNATIVE: Final = Technique("T1048", "Exfiltration Over Alternative Protocol")
NETWORK_DISCOVERY: Final = Technique("T1046", "Network Service Discovery")
SNIFFING: Final = Technique("T1040", "Network Sniffing")
UNIX_SHELL: Final = Technique("T1059.004", "Command and Scripting Interpreter: Unix Shell")
TOOL_TRANSFER: Final = Technique("T1105", "Ingress Tool Transfer")
REMOTE_SERVICES: Final = Technique("T1133", "External Remote Services")
EXPLOIT_PUBLIC: Final = Technique("T1190", "Exploit Public-Facing Application")
COMPUTE_HIJACKING: Final = Technique("T1496.001", "Resource Hijacking: Compute Hijacking")
IMPLANT_IMAGE: Final = Technique("T1525", "Implant Internal Image")
EXECUTION_HIJACK: Final = Technique("T1574", "Hijack Execution Flow")
ADMINISTRATION_COMMAND: Final = Technique("T1609", "Container Administration Command")
DEPLOY_CONTAINER: Final = Technique("T1610", "Deploy Container")
ESCAPE: Final = Technique("T1611", "Escape to Host")
BUILD_ON_HOST: Final = Technique("T1612", "Build Image on Host")
REFLECTIVE_LOADING: Final = Technique("T1620", "Reflective Code Loading")
COMPROMISE_BINARY: Final = Technique("T1554", "Compromise Host Software Binary")
