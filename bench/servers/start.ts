import type { Connection } from '../../src/database/connection.ts'
import { cpuUsOf, listProcesses, treeOf } from '../machine/processes.ts'
import { startPeer } from '../peers/start.ts'
import type { Side } from '../sides.ts'
import { isNodeSide, startNodeServer } from './node.ts'
import type { Server, ServerOptions } from './server.ts'

/**
 * Starts a server in processes of its own.
 * @param dataDir - for the log of a peer, and its database if that is not MongoDB
 */
export async function startServer(
  side: Side,
  connection: Connection,
  options: ServerOptions,
  dataDir = '',
): Promise<Server> {
  const server = isNodeSide(side)
    ? await startNodeServer(side, connection, options)
    : await startPeer(side, connection, options, dataDir)
  const cpuUs = async () => {
    const tree = server.pid === undefined ? [] : treeOf(server.pid, listProcesses())
    return tree.length > 0 ? cpuUsOf(tree) : server.cpuUs()
  }
  return { ...server, cpuUs }
}
