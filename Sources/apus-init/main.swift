// The first process of an instance: takes orders from Apus over the socket that its one argument names.
guard CommandLine.arguments.count == 2 else {
    Report.fail("apus-init is started by Apus, with the path of its control socket")
}
Signals.install()
let control = Descriptors.connect(to: CommandLine.arguments[1])
guard control >= 0 else { Report.fail("the control socket cannot be reached") }
let instance = Instance(control: control)
instance.live()
