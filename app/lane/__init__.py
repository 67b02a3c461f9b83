"""The lane: answers a question over HTTP as soon as its bytes are there, without aiohttp's task, request and middlewares.

A worker answers most questions in a few microseconds. aiohttp takes far longer to wake a task for a request and to lead it through routes,
middlewares and a response. The lane leaves all that out where it can. It keeps aiohttp's parser, so a request means the same in both ways,
and it uses the same doors, the same core of answering and the same refusals.

The ordinary way is for everything else, and for whatever the lane is not sure of: the parsed request then goes there as if the lane did not
exist. The answers of both ways are equal to the byte.
"""
