"""Hostile files: a fuzzer for each kind of file that Ostinato reads, and what it has found.

    pip install -c constraints.txt -e '.[train,test,fuzz]'
    python -m tests.fuzz model_file --seconds 600

What a target may do with any bytes at all: succeed, or raise an error of Ostinato's own, soon and in little memory. A
file that made it do anything else lies in `finds/`, a folder a target, and is tried by the ordinary tests ever after.
"""
