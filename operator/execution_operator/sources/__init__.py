"""What puts Executions into the queue: the stream of requests, two watches, rereads and authorization drift."""
