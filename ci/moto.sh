#!/usr/bin/env bash
# Has the EC2 client judged by code that others wrote: moto answers it, and the signer of OpenStack's Keystone checks what
# it signs, by Version 4 and by Version 2. It takes some 350 MB of Python packages in target/moto, so no other test asks
# for it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=target/moto/bin/python3
if ! $python -c 'import boto3, keystoneclient, moto.server' &>/dev/null; then
    python3 -m venv target/moto
    target/moto/bin/pip install --quiet --disable-pip-version-check 'moto[ec2,server]' python-keystoneclient
fi
exec $python ci/moto.py
