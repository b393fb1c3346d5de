#!/usr/bin/env bash
# Asks the gate, and hands verdict, reason and documents to the steps that follow. The exit code is the gate's.
set -euo pipefail
results=${GATE_RESULTS:-pratique-results}
mkdir -p "$results"

arguments=(gate --for "${GATE_FOR:-30s}" -f table)
arguments+=(-f "sarif=$results/image.sarif" -f "junit=$results/image.junit.xml")
arguments+=(-f "cyclonedx=$results/image.cdx.json" -f "json=$results/image.json")
if [ -n "${GATE_POLICY:-}" ]; then
  arguments+=(--policy "$GATE_POLICY")
fi
read -r -a gates <<< "${GATE_FAIL_ON:-}"
for gate in "${gates[@]}"; do
  arguments+=(--fail-on "$gate")
done

pratique=(pratique)
if [ "${GATE_DETONATE:-false}" = true ]; then
  [ "$(id -u)" -eq 0 ] || pratique=(sudo --preserve-env "$(command -v pratique)")
else
  arguments+=(--no-detonate)
fi

code=0
"${pratique[@]}" "${arguments[@]}" -- "$GATE_IMAGE" || code=$?

case $code in
  0) verdict=passed ;;
  2) verdict=refused ;;
  3) verdict=incomplete ;;
  *) verdict=error ;;
esac
end=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
{
  echo "verdict=$verdict"
  if [ "$verdict" != error ]; then
    echo "sarif=$results/image.sarif"
    echo "junit=$results/image.junit.xml"
    echo "sbom=$results/image.cdx.json"
    echo "reason<<$end"
    python3 -c 'import json, sys; print("\n".join(json.load(sys.stdin)["gate"]["reasons"]))' < "$results/image.json"
    echo "$end"
  fi
} >> "$GITHUB_OUTPUT"
exit "$code"
