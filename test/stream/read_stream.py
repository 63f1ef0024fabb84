"""Prints the events of a stream, one "name data" a line, until the first that is named as the second argument."""

import sys

import httpx

url, last = sys.argv[1:]
with httpx.Client(timeout=60) as client, client.stream("GET", url) as response:
    response.raise_for_status()
    print("open", response.headers["content-type"], flush=True)
    event = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if line == "":
            if "data" in event:
                print(event["event"], event["data"], flush=True)
                if event["event"] == last:
                    break
            event = {}
        elif name:
            event[name] = value
