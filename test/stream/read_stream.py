"""Prints the events of a stream, one "name data" a line, until it is killed."""

import sys

import httpx

with httpx.Client(timeout=60) as client, client.stream("GET", sys.argv[1]) as response:
    response.raise_for_status()
    print("open", response.headers["content-type"], flush=True)
    event = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if line == "":
            if "data" in event:
                print(event["event"], event["data"], flush=True)
            event = {}
        elif name:
            event[name] = value
