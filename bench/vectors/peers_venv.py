"""The peers' packages, in a virtual environment beside the models."""
import os
import pathlib
import subprocess
import sys

PACKAGES = ["numpy==2.4.6", "faiss-cpu==1.15.1", "zvec==0.8.0", "usearch==2.26.6", "scann==1.4.2"]


def python_with_peers():
    """Makes the environment where it is not there. @return its interpreter."""
    home = pathlib.Path(os.environ.get("HASTEN_HOME") or pathlib.Path.home() / ".cache/hasten")
    folder = home / "bench/venv"
    python = folder / "bin/python"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "pybind11", "setuptools", "wheel", *PACKAGES], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-build-isolation", "hnswlib==0.8.0"], check=True)
        (folder / "complete").touch()
    return python


def enter():
    """Runs the script that calls this in that environment, if it does not already."""
    if not sys.prefix.endswith("bench/venv"):
        python = python_with_peers()
        os.execv(python, [python, *sys.argv])
