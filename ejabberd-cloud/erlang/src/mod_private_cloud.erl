%%% SPDX-License-Identifier: MIT
%%%
%%% Private data: `mod_private' with `db_type: cloud'.
-module(mod_private_cloud).
-behaviour(mod_private).

-export([init/2, import/3, set_data/3, get_data/3, get_all_data/2, del_data/2]).

init(_Host, _Options) -> cloud:start().
import(_Server, _Table, _Row) -> ok.

set_data(User, Server, Data) ->
    cloud:done({private_set, cloud:bare(User, Server), [{NS, cloud:xml(Element)} || {NS, Element} <- Data]}).

get_data(User, Server, NS) ->
    case cloud:call({private_get, cloud:bare(User, Server), NS}) of
        {ok, none} -> error;
        {ok, Text} -> {ok, cloud:unxml(Text)};
        {error, _} = Error -> Error
    end.

get_all_data(User, Server) ->
    case cloud:call({private_all, cloud:bare(User, Server)}) of
        {ok, []} -> error;
        {ok, Texts} -> {ok, [cloud:unxml(Text) || Text <- Texts]};
        {error, _} = Error -> Error
    end.

del_data(User, Server) -> cloud:done({private_del, cloud:bare(User, Server)}).
