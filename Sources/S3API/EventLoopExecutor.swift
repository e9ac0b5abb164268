import NIOCore

/// Runs tasks on an event loop's thread.
///
/// A connection whose task runs there passes parts of requests and answers on without waking another thread: on
/// small requests that costs more than all the rest.
final class EventLoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // On the loop's own thread this only puts the job into a queue.
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
