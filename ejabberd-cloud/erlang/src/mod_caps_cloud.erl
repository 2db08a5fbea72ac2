%%% SPDX-License-Identifier: MIT
%%%
%%% What a hash of a client's features stands for: `mod_caps' with `db_type: cloud'. It never changes, and is kept once for
%%% all nodes. (With Mnesia each node has a table of its own, and the event of a person on one node does not reach a contact
%%% on another whose hash only that other node has asked about.)
-module(mod_caps_cloud).
-behaviour(mod_caps).

-export([init/2, import/3, caps_read/2, caps_write/3]).

init(_Host, _Options) -> cloud:start().
import(_Server, _Pair, _Features) -> ok.

caps_read(_Server, {Node, Version}) ->
    case cloud:call({caps_get, Node, Version}) of
        {ok, none} -> error;
        {ok, Features} -> {ok, Features};
        {error, _} = Error -> Error
    end.

caps_write(_Server, {Node, Version}, Features) -> cloud:done({caps_put, Node, Version, Features}).
