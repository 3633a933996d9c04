// Preloaded into kinesis-local, which has no option for the address it listens on
// and would listen on every interface: sends each TCP listen() to 127.0.0.1.
'use strict';
const { Server } = require('node:net');

const listen = Server.prototype.listen;
const local = '127.0.0.1';

Server.prototype.listen = function (first, ...rest) {
  if (first !== null && typeof first === 'object' && 'port' in first) {
    return listen.call(this, { ...first, host: local }, ...rest);
  }
  if (typeof first === 'number') {
    // listen(port[, host][, backlog][, callback]): drop the host that was asked for.
    const tail = typeof rest[0] === 'string' || rest[0] === undefined ? rest.slice(1) : rest;
    return listen.call(this, first, local, ...tail);
  }
  return listen.call(this, first, ...rest);
};
